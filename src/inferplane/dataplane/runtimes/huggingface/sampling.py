"""The next token of each row, from the model's scores and what its request asked for.

Every text draws from a generator of its own, so a seed gives the same draws whoever is in the batch with it.
"""

from collections.abc import Sequence

import torch

from inferplane.dataplane.runtimes.huggingface.batching import Alternative, Chosen, Run

_LIKELIEST = 1024
"""How many tokens are looked at first where the tail is cut: sorting a vocabulary of 150,000 takes 10 ms a row."""


def choose(scores: torch.Tensor, runs: Sequence[Run]) -> list[Chosen]:
    """`scores` are logits, [row, vocabulary]; a row a run."""
    if all(run.sampling.plain for run in runs):
        return [Chosen(token) for token in scores.argmax(-1).tolist()]
    scores = scores.float()
    told = _told(scores, runs)
    if any(run.sampling.adjusts for run in runs):
        scores = scores.clone()
        for row, run in enumerate(runs):
            if run.sampling.adjusts:
                _adjust(scores[row], run)
    tokens = scores.argmax(-1).tolist()
    drawn = [row for row, run in enumerate(runs) if run.sampling.temperature > 0]
    if drawn:
        found = _drawn(scores[drawn], [runs[row] for row in drawn])
        for row, token in zip(drawn, found, strict=True):
            tokens[row] = token
    return [_chosen(token, told.get(row)) for row, token in enumerate(tokens)]


def _told(scores: torch.Tensor, runs: Sequence[Run]) -> dict[int, tuple[torch.Tensor, tuple[Alternative, ...]]]:
    """(log-probabilities of the model itself, the likeliest) of the rows that want them."""
    told = {}
    for row, run in enumerate(runs):
        if run.sampling.logprobs is not None:
            logprobs = scores[row].log_softmax(-1)
            values, tokens = logprobs.topk(run.sampling.logprobs)
            pairs = zip(tokens.tolist(), values.tolist(), strict=True)
            told[row] = (logprobs, tuple(Alternative(token, value) for token, value in pairs))
    return told


def _chosen(token: int, told: tuple[torch.Tensor, tuple[Alternative, ...]] | None) -> Chosen:
    return Chosen(token) if told is None else Chosen(token, float(told[0][token]), told[1])


def _adjust(scores: torch.Tensor, run: Run) -> None:
    """In place, one row."""
    how = run.sampling
    if how.repetition_penalty != 1.0:
        seen = torch.tensor([*{*run.prompt, *run.tokens}], device=scores.device)
        values = scores[seen]
        scores[seen] = torch.where(values < 0, values * how.repetition_penalty, values / how.repetition_penalty)
    if run.counts and (how.presence_penalty or how.frequency_penalty):
        tokens = torch.tensor([*run.counts], device=scores.device)
        counts = torch.tensor([*run.counts.values()], dtype=scores.dtype, device=scores.device)
        scores[tokens] -= how.presence_penalty + how.frequency_penalty * counts
    for token, value in how.bias:
        scores[token] += value


def _drawn(scores: torch.Tensor, runs: Sequence[Run]) -> list[int]:
    scores = scores / _column([run.sampling.temperature for run in runs], scores)
    luck = _column([run.random.random() for run in runs], scores)
    if any(run.sampling.top_k > 0 or run.sampling.top_p < 1 for run in runs):
        return _drawn_of_the_likeliest(scores, luck, runs)
    sums = scores.softmax(-1).cumsum(-1)
    return _found(sums, luck)


def _drawn_of_the_likeliest(scores: torch.Tensor, luck: torch.Tensor, runs: Sequence[Run]) -> list[int]:
    """As transformers does it: first the `top_k` likeliest, then of these the fewest that make up `top_p`."""
    size = scores.shape[-1]
    top_k = [run.sampling.top_k if 0 < run.sampling.top_k < size else size for run in runs]
    top_p = _column([run.sampling.top_p for run in runs], scores)
    count = min(size, max((k for k in top_k if k < size), default=0) or _LIKELIEST)
    count = max(count, min(size, _LIKELIEST))
    whole = scores.logsumexp(-1, keepdim=True)
    while True:
        values, tokens = scores.topk(count)
        shares = (values - whole).exp()
        places = torch.arange(count, device=scores.device)
        kept = torch.where(places < _column(top_k, scores), shares, 0.0)
        total = torch.where(_column(top_k, scores) < size, kept.sum(-1, keepdim=True), 1.0)
        kept = kept / total
        sums = kept.cumsum(-1)
        open_ended = (_column(top_k, scores) >= size) & (sums[:, -1:] < top_p)
        if count == size or not bool(open_ended.any()):
            break
        count = size
    kept = torch.where(sums - kept < top_p, kept, 0.0)
    at = _found(kept.cumsum(-1), luck)
    return _listed(tokens.gather(1, torch.tensor(at, device=tokens.device)[:, None])[:, 0])


def _found(sums: torch.Tensor, luck: torch.Tensor) -> list[int]:
    """Where a share `luck` of each row's whole falls."""
    at = torch.searchsorted(sums, luck * sums[:, -1:], right=True)
    # Rounding may leave the share at the very end; the last place that adds anything is meant.
    last = (sums < sums[:, -1:]).sum(-1, keepdim=True)
    return _listed(torch.minimum(at, last)[:, 0])


def _listed(tokens: torch.Tensor) -> list[int]:
    found: list[int] = tokens.tolist()
    return found


def _column(values: Sequence[float], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None]
