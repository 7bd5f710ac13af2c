#!/bin/sh
# Make the secrets of compose.yaml, once: in `.env` beside it, for the eyes of its owner.
set -eu
cd "$(dirname "$0")"
if [ -e .env ]; then
  echo "$PWD/.env is there already, and the database keeps the password it was made with: nothing was changed." >&2
  exit 1
fi
random() { od -An -v -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
umask 077
cat >.env.new <<END
DATABASE_PASSWORD=$(random 24)
OBJECTS_ACCESS_KEY_ID=$(random 10)
OBJECTS_SECRET_ACCESS_KEY=$(random 20)
ADMIN_PASSWORD=$(random 18)
SIGNING_KEY=$(random 32)
END
mv .env.new .env
echo "The secrets are in $PWD/.env; the administrator is admin, with the password ADMIN_PASSWORD there."
