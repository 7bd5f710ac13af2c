"""What a server costs a month, before it is deployed: from the sizes in the template and the price list in prices.yaml.
An estimate for choosing a size, from nobody working to everything scaled out all month; no quotation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlflow_server.aws.template import Template

PRICES = Path(__file__).with_name("prices.yaml")
_ZONES = 2
_ENDPOINTS = 5
_SECRETS = 6
_ALARMS = 4


@dataclass(frozen=True)
class Range:
    """USD a month: with nobody working, and with everything scaled out all month."""

    least: float
    most: float

    def __add__(self, other: Range) -> Range:
        return Range(self.least + other.least, self.most + other.most)

    def __str__(self) -> str:
        least, most = round(self.least), round(self.most)
        return f"{least:,}" if least == most else f"{least:,} to {most:,}"


@dataclass(frozen=True)
class Estimate:
    """The items of one size, in the order in which they are shown."""

    size: str
    items: Mapping[str, Range]

    @property
    def total(self) -> Range:
        return sum(self.items.values(), Range(0, 0))


@dataclass(frozen=True)
class Prices:
    """The price list; `values` are USD by unit."""

    region: str
    date: str
    values: Mapping[str, float]
    assumed: Mapping[str, float]


def read_prices(path: Path = PRICES) -> Prices:
    """Read the price list."""
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    values = {name: float(value) for name, value in content.items() if isinstance(value, int | float)}
    return Prices(content["region"], str(content["date"]), values, content["assumed"])


def estimates(template: Template, values: Mapping[str, str], prices: Prices) -> list[Estimate]:
    """One estimate for each size of the template, with all other parameters as they are in `values`."""
    return [Estimate(size, _items(row, values, prices)) for size, row in template.mappings["Sizes"].items()]


def _items(size: Mapping[str, Any], values: Mapping[str, str], prices: Prices) -> dict[str, Range]:
    price, assumed, hours = prices.values, prices.assumed, prices.values["hours_a_month"]
    task = hours * (
        int(size["Cpu"]) / 1024 * price["processor_hour"] + int(size["Memory"]) / 1024 * price["memory_hour"]
    )
    instances = 2 if size["Replica"] == "true" else 1
    capacity = hours * price["capacity_hour"] * instances
    idle = 0 if values["PauseAfterSeconds"] != "0" else size["LeastCapacity"]
    balancer = hours * price["load_balancer_hour"]
    return {
        f"servers ({size['LeastTasks']} to {size['MostTasks']} tasks)": Range(
            size["LeastTasks"] * task, size["MostTasks"] * task
        ),
        f"database ({idle:g} to {size['MostCapacity']:g} units, {instances} instance{'s' * (instances > 1)})": Range(
            idle * capacity, size["MostCapacity"] * capacity
        ),
        "load balancer": Range(balancer, balancer + hours * price["load_balancer_unit_hour"]),
        "network": _flat(hours * _network(values, price)),
        "storage, secrets, logs, alarms": _flat(
            assumed["database_gb"] * price["database_storage"]
            + assumed["artifact_gb"] * price["artifact_storage"]
            + assumed["log_gb"] * price["log"]
            + assumed["metrics"] * price["metric"]
            + _SECRETS * price["secret"]
            + _ALARMS * price["alarm"]
            + price["key"]
        ),
    }


def _network(values: Mapping[str, str], price: Mapping[str, float]) -> float:
    addresses = _ZONES if values["Access"] == "internet-facing" else 0
    if values["VpcId"]:
        return addresses * price["address_hour"]
    if values["Egress"] == "endpoints":
        return addresses * price["address_hour"] + _ENDPOINTS * _ZONES * price["endpoint_hour"]
    gateways = _ZONES if values["Egress"] == "nat-per-zone" else 1
    return gateways * price["nat_gateway_hour"] + (addresses + gateways) * price["address_hour"]


def _flat(amount: float) -> Range:
    return Range(amount, amount)
