"""`deploy-project` and `destroy-project`: projects with a server of their own on AWS; `prepare-database` runs there."""

from __future__ import annotations

import click

from mlflow_server.commands import account
from mlflow_server.errors import ServerError

_SECRET = "MLFLOW_PROJECT_DATABASE_SECRET_ARN"  # noqa: S105 - a name


@click.command("deploy-project")
@click.argument("name")
@account.stack_option
@account.yes_option
@click.option(
    "--database-is-made",
    is_flag=True,
    help="Run no task that makes database and role: somebody has made them, with the password in the project's secret.",
)
def deploy_project(name: str, stack: str, yes: bool, database_is_made: bool) -> None:
    """Give a project its own server, database, artifacts and accounts on a deployed server; or bring it up to date."""
    from mlflow_server.aws import projects
    from mlflow_server.aws.parameters import settle
    from mlflow_server.aws.stack import deployed_stack, find_stack
    from mlflow_server.aws.template import PROJECT, read_template

    with account.plain_errors():
        cloudformation, progress = account.client("cloudformation"), account.printed()
        server, template = deployed_stack(cloudformation, stack), read_template(PROJECT)
        own = projects.stack_name(server, name)
        found = find_stack(cloudformation, own)
        others = [find_stack(cloudformation, each) for each in projects.projects_of(cloudformation, server)]
        taken = (other.parameters["Port"] for other in others if other and other.name != own)
        port = int(found.parameters["Port"]) if found and found.outputs else projects.free_port(taken)
        made = found is not None and found.parameters.get("HasDatabase") == "true"
        ready = made or database_is_made
        told = {**projects.parameters(server, name, port), "HasDatabase": str(ready).lower()}
        values = settle(template, told, {})
        deployment = account.deployment_of(own, template.request_body, server.parameters["ServerName"], progress)
        proposal = deployment.propose(values)
        if proposal:
            try:
                progress.planned(proposal.plan, own)
                agreed = yes or account.agrees(
                    lambda: click.confirm("Deploy this?", default=False), f"deploying the project {name}"
                )
            except BaseException:
                deployment.withdraw(proposal)
                raise
            if not agreed:
                deployment.withdraw(proposal)
                raise ServerError("Nothing was changed.")
            project = deployment.carry_out(proposal)
        else:
            project = deployed_stack(cloudformation, own)
        if not ready:
            projects.DatabaseTask(account.client("ecs"), account.client("logs"), progress.say).run(server, project)
            served = deployment.propose({**values, "HasDatabase": "true"})
            project = deployment.carry_out(served) if served else project
        progress.outputs(project)


@click.command("destroy-project")
@click.argument("name")
@account.stack_option
@account.yes_option
def destroy_project(name: str, stack: str, yes: bool) -> None:
    """Remove a project's server and accounts; its database and its artifacts stay."""
    from mlflow_server.aws import projects
    from mlflow_server.aws.stack import deployed_stack
    from mlflow_server.aws.template import PROJECT, read_template

    with account.plain_errors():
        cloudformation, progress = account.client("cloudformation"), account.printed()
        server = deployed_stack(cloudformation, stack)
        own = deployed_stack(cloudformation, projects.stack_name(server, name))
        progress.say(
            f"{own.name} goes: server, accounts, and the secret with the database's password. Its database "
            f"{own.parameters['DatabaseName']} and {own.outputs.get('ArtifactRoot', 'its artifacts')} stay."
        )
        if not yes:
            account.typed(name, f"removing {own.name}", f"Type {name} to remove it")
        account.deployment_of(own.name, read_template(PROJECT).body, stack, progress).remove(own)
        progress.say(f"The project {name} is removed; `mlflow-server deploy-project {name}` brings it back.")


@click.command("prepare-database", hidden=True)
@click.option("--backend-store-uri", envvar="MLFLOW_BACKEND_STORE_URI", required=True)
@click.option("--project-secret", envvar=_SECRET, required=True)
def prepare_database(backend_store_uri: str, project_secret: str) -> None:
    """Make a project's database and role, named in a secret with the password: what `deploy-project` runs on AWS."""
    from sqlalchemy.engine import make_url

    from mlflow_server import database_login
    from mlflow_server.aws import kept_login
    from mlflow_server.database.tenant import make_database

    with account.plain_errors():
        role = kept_login.read(account.client("secretsmanager"), project_secret)
    database_login.install()
    make_database(make_url(backend_store_uri), role.username, role.password)
    click.echo(f"The database {role.username} is there, for the role of the same name")


COMMANDS = (deploy_project, destroy_project, prepare_database)
