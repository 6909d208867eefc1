"""The playbooks that are shipped, put into a plant that has none of these names yet."""

from importlib.resources import files

from orchestrator.dev.errors import PlantError
from orchestrator.dev.local import LocalPlant

ABSENT = {"If-None-Match": "*"}


def shipped() -> dict[str, str]:
    """Their texts by name, in the order of names."""
    found = {
        each.name.removesuffix(".yaml"): each.read_text(encoding="utf-8")
        for each in files("playbooks").iterdir()
        if each.name.endswith(".yaml")
    }
    return dict(sorted(found.items()))


async def put_shipped(plant: LocalPlant, seconds: float) -> list[str]:
    """Put those that are not there; what a user has changed stays as it is. The names that were put.

    Raises PlantError for one that is refused; httpx.HTTPError when nobody answers.
    """
    leader = await plant.current_leader(seconds)
    api = plant.topology.node(leader.node_id).api
    put = []
    for name, text in shipped().items():
        answer = await plant.http.put(f"{api}/v1/playbooks/{name}", json={"text": text}, headers=ABSENT, timeout=10.0)
        if answer.status_code == 201:
            put.append(name)
        elif answer.status_code not in (200, 412):
            raise PlantError(f"playbook {name} is refused: {answer.status_code} {answer.text[:300]}")
    return put
