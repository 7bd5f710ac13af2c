"""A rule of a security group as a template writes it, in the form of the requests that set and take it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Members of a rule, and where each goes in an IpPermission of EC2's API.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
_RANGES = {
    "CidrIp": ("IpRanges", "CidrIp"),
    "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "SourcePrefixListId": ("PrefixListIds", "PrefixListId"),
    "DestinationPrefixListId": ("PrefixListIds", "PrefixListId"),
    "SourceSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    "SourceSecurityGroupName": ("UserIdGroupPairs", "GroupName"),
    "DestinationSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
}
INGRESS = frozenset(
    {
        "CidrIp",
        "CidrIpv6",
        "Description",
        "FromPort",
        "IpProtocol",
        "SourcePrefixListId",
        "SourceSecurityGroupId",
        "SourceSecurityGroupName",
        "SourceSecurityGroupOwnerId",
        "ToPort",
    }
)
EGRESS = frozenset(
    {
        "CidrIp",
        "CidrIpv6",
        "Description",
        "DestinationPrefixListId",
        "DestinationSecurityGroupId",
        "FromPort",
        "IpProtocol",
        "ToPort",
    }
)


def ip_permission(rule: Mapping[str, Any]) -> dict[str, Any]:
    """The IpPermission of a rule."""
    permission: dict[str, Any] = {"IpProtocol": str(rule["IpProtocol"])}
    for name in ("FromPort", "ToPort"):
        if rule.get(name) is not None:
            permission[name] = int(rule[name])
    for name, (ranges, member) in _RANGES.items():
        if rule.get(name):
            described = {"Description": str(rule["Description"])} if rule.get("Description") else {}
            permission[ranges] = [{member: str(rule[name]), **described}]
    return permission


def problem_of_rule(rule: Any) -> str | None:
    """What a rule lacks, or None: a protocol and one place that traffic comes from or goes to."""
    if not isinstance(rule, Mapping) or not rule.get("IpProtocol"):
        return "Property IpProtocol cannot be empty."
    given = [name for name in _RANGES if rule.get(name)]
    if len(given) != 1:
        return f"A rule names exactly one source or destination, and this one names {', '.join(given) or 'none'}"
    return None
