"""The order of dependencies: who goes first, who goes side by side, who is left without a footing. Pure.

A graph has, for each component, the ones that it needs. One that is not a key needs nobody. Nothing here recurses: a
chain may be as long as the registry.
"""

from collections.abc import Iterable, Mapping

from orchestrator.errors import DependencyCycle

Graph = Mapping[str, tuple[str, ...]]
Waves = list[tuple[str, ...]]


def arrows(path: Iterable[str]) -> str:
    """`a → b → a`."""
    return " → ".join(path)


def cycle(graph: Graph, start: Iterable[str] | None = None) -> tuple[str, ...]:
    """A cycle, its first name again at the end; empty when there is none. Always the same one for the same graph.

    Only what can be reached from `start` is looked at, when it is given.
    """
    finished: set[str] = set()
    for root in sorted(graph if start is None else set(start)):
        if root in finished:
            continue
        path, open_ = [root], {root: 0}
        waiting = [iter(sorted(graph.get(root, ())))]
        while path:
            following = next(waiting[-1], None)
            if following is None:
                waiting.pop()
                done = path.pop()
                del open_[done]
                finished.add(done)
            elif following in open_:
                return (*path[open_[following] :], following)
            elif following not in finished:
                open_[following] = len(path)
                path.append(following)
                waiting.append(iter(sorted(graph.get(following, ()))))
    return ()


def reachable(starts: Iterable[str], graph: Graph) -> frozenset[str]:
    """What can be reached from `starts`, over any number of arrows; they themselves only by a way back."""
    found: set[str] = set()
    waiting = list(starts)
    while waiting:
        for following in graph.get(waiting.pop(), ()):
            if following not in found:
                found.add(following)
                waiting.append(following)
    return frozenset(found)


def reversed_graph(graph: Graph) -> dict[str, tuple[str, ...]]:
    """For each component, the ones that need it, in order of their names."""
    found: dict[str, list[str]] = {}
    for component_id in sorted(graph):
        for needed in graph[component_id]:
            found.setdefault(needed, []).append(component_id)
    return {needed: tuple(dict.fromkeys(needing)) for needed, needing in found.items()}


def needs(component_id: str, graph: Graph) -> tuple[str, ...]:
    """All that the component needs, directly or not, ordered by name."""
    return tuple(sorted(reachable([component_id], graph) - {component_id}))


def dependents(component_id: str, graph: Graph) -> tuple[str, ...]:
    """All that need the component, directly or not, ordered by name."""
    return tuple(sorted(reachable([component_id], reversed_graph(graph)) - {component_id}))


def start_order(selection: Iterable[str], graph: Graph) -> Waves:
    """`selection` in waves: each needs only what stands in earlier ones, and those of one wave go side by side.

    What is needed but not selected is left out, and still counts as a link between two that are. Each component is in
    exactly one wave, the earliest possible; a wave is ordered by name. DependencyCycle names the cycle.
    """
    wanted = frozenset(selection)
    relevant = wanted | reachable(wanted, graph)
    if circle := cycle(graph, relevant):
        raise DependencyCycle(f"these need one another: {arrows(circle)}", cycle=list(circle))
    missing = {each: len({*graph.get(each, ())}) for each in relevant}
    needing = reversed_graph({each: graph.get(each, ()) for each in relevant})
    rank = dict.fromkeys(relevant, 0)
    ready = [each for each, count in missing.items() if count == 0]
    while ready:
        done = ready.pop()
        after = rank[done] + (done in wanted)
        for each in needing.get(done, ()):
            rank[each] = max(rank[each], after)
            missing[each] -= 1
            if missing[each] == 0:
                ready.append(each)
    waves: dict[int, list[str]] = {}
    for each in sorted(wanted):
        waves.setdefault(rank[each], []).append(each)
    return [tuple(waves[number]) for number in sorted(waves)]


def stop_order(selection: Iterable[str], graph: Graph) -> Waves:
    """`start_order` the other way round."""
    return start_order(selection, graph)[::-1]
