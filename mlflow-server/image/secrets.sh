#!/bin/sh
# Make the secrets of compose.yaml, each once: in `.env` beside it, for the eyes of its owner.
set -eu
cd "$(dirname "$0")"
random() { od -An -v -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
umask 077
rm -f .env.new
if [ -e .env ]; then cp .env .env.new; else : >.env.new; fi
secret() { grep -q "^$1=" .env.new || echo "$1=$2" >>.env.new; }
secret DATABASE_PASSWORD "$(random 24)"
secret OBJECTS_ACCESS_KEY_ID "$(random 10)"
secret OBJECTS_SECRET_ACCESS_KEY "$(random 20)"
secret ADMIN_PASSWORD "$(random 18)"
secret SIGNING_KEY "$(random 32)"
secret SECRETS_PASSPHRASE "$(random 32)"
secret WEBHOOK_KEY "$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')"
if [ -e .env ] && cmp -s .env .env.new; then
  rm .env.new
  echo "$PWD/.env is there already, and the database keeps the password it was made with: nothing was changed." >&2
  exit 1
fi
mv .env.new .env
echo "The secrets are in $PWD/.env; the administrator is admin, with the password ADMIN_PASSWORD there."
