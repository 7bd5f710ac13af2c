"""What is only described outlives the cloud's process: every identifier and every password is what it was."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def seen(cloud: Any) -> dict[str, Any]:
    """All that a stack's outputs may have pointed at."""
    ec2, rds, ecs, elb = (cloud.client(name) for name in ("ec2", "rds", "ecs", "elbv2"))
    cluster = rds.describe_db_clusters()["DBClusters"][0]
    secret = cluster["MasterUserSecret"]["SecretArn"]
    service = ecs.describe_services(cluster="c", services=["s"])["services"][0]
    return {
        "networks": sorted(vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]),
        "subnets": sorted(subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]),
        "groups": sorted(group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"]),
        "database": (cluster["Endpoint"], cluster["DbClusterResourceId"], secret),
        "password": cloud.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"],
        "service": (service["serviceArn"], service["desiredCount"], service["runningCount"]),
        "circuit breaker": service["deploymentConfiguration"],
        "balancers": [each["LoadBalancerArn"] for each in elb.describe_load_balancers()["LoadBalancers"]],
    }


def test_descriptions_come_back_as_they_were_also_those_made_while_others_looked(
    make_cloud: Callable[..., Any],
) -> None:
    cloud = make_cloud()
    ec2, ecs, done = cloud.client("ec2"), cloud.client("ecs"), threading.Event()
    # Looking is not written down, and yet takes of moto's random numbers: here before, and while things are made.
    ec2.describe_vpcs()

    def look() -> None:
        while not done.is_set():
            ec2.describe_vpcs()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(look)
        try:
            for number in range(12):
                vpc = ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
        finally:
            done.set()
    zones = [("us-east-1a", "10.11.0.0/24"), ("us-east-1b", "10.11.1.0/24")]
    subnets = [ec2.create_subnet(VpcId=vpc, AvailabilityZone=zone, CidrBlock=block) for zone, block in zones]
    cloud.client("elbv2").create_load_balancer(Name="b", Subnets=[each["Subnet"]["SubnetId"] for each in subnets])
    cloud.client("rds").create_db_cluster(
        DBClusterIdentifier="d", Engine="aurora-postgresql", MasterUsername="me", ManageMasterUserPassword=True
    )
    ecs.create_cluster(clusterName="c")
    container = {"name": "a", "image": "i", "memory": 128}
    ecs.register_task_definition(family="t", containerDefinitions=[container])
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    ecs.create_service(
        cluster="c", serviceName="s", taskDefinition="t", desiredCount=2, deploymentConfiguration=breaker
    )
    ecs.update_service(cluster="c", service="s", desiredCount=3)
    before = seen(cloud)
    assert len(before["networks"]) == 13
    assert before["service"][1:] == (3, 0)
    cloud.stop()
    assert seen(make_cloud(cloud.home)) == before
