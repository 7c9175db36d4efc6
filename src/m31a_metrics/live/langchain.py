"""Record what LangChain and LangGraph ask models, and the tools that they run.

    from m31a_metrics.live import langchain
    detach = langchain.attach(collector)

By a callback handler: of all that runs, in threads that are yet to be started, too, or of one
component. What an integration reports as `usage_metadata` counts; a chat model that is streamed
without usage (`stream_usage`) gives an answer of unknown usage, and so does a stream that is not
read to its end. An answer out of LangChain's cache was not asked of a model, and is not counted.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers import context as langchain_context

from m31a_metrics.figures import text, tokens
from m31a_metrics.live.attachments import Answer, Attachment, Call, Detach, harmless, is_count
from m31a_metrics.live.openai import usage_of
from m31a_metrics.model import UNKNOWN_USAGE, Usage

if TYPE_CHECKING:
    from m31a_metrics import Collector

_lock = allocate_lock()


def attach(collector: Collector | None, target: object | None = None) -> Detach:
    """Record each answer and tool in the session of the Collector in force, else of `collector`.

    `target` is one component with `callbacks`: a model, a tool, a chain; None: all of this
    process. Returns what ends it, in whatever order. A budget that is used up refuses a model
    before it is asked.

    Raises ImportError without langchain-core, TypeError for what is no component or Collector.
    """
    handler = _Handler(Attachment(collector))
    if target is None:
        return _attach_to_all(handler)
    if not hasattr(target, "callbacks"):
        raise TypeError(f"target must have callbacks, as a {type(target).__name__} has not")
    return _attach_to_one(handler, target)


def _attach_to_all(handler: _Handler) -> Detach:
    # A default, and not a value: values do not reach threads that are started.
    variable: ContextVar[Any] = ContextVar("m31a_metrics.langchain", default=handler)
    langchain_context.register_configure_hook(variable, inheritable=True)

    def detach() -> None:
        handler.is_attached = False
        hooks = getattr(langchain_context, "_configure_hooks", [])
        for hook in [one for one in hooks if one[0] is variable]:
            hooks.remove(hook)

    return detach


class _Callbacks(list[Any]):
    """Callbacks of a component with ours among them, and what was there before."""

    def __init__(self, before: Any) -> None:
        super().__init__(before if isinstance(before, list) else ())
        self.before = before
        self.ours = 0


def _attach_to_one(handler: _Handler, target: Any) -> Detach:
    with _lock:
        callbacks = target.callbacks
        if hasattr(callbacks, "add_handler"):  # a manager, which may be of more than this
            callbacks.add_handler(handler, inherit=True)
        else:
            if not isinstance(callbacks, _Callbacks):
                target.callbacks = callbacks = _Callbacks(callbacks)
            callbacks.append(handler)
            callbacks.ours += 1

    def detach() -> None:
        with _lock:
            if not handler.is_attached:
                return
            handler.is_attached = False
            if hasattr(callbacks, "remove_handler"):
                callbacks.remove_handler(handler)
                return
            callbacks.remove(handler)
            callbacks.ours -= 1
            if not callbacks.ours and target.callbacks is callbacks:
                target.callbacks = callbacks.before

    return detach


class _Handler(BaseCallbackHandler):
    """Hears of runs. Of what it raises, BudgetExceeded alone is ever raised."""

    run_inline = True  # in the context of the run, in which it is known whose it is
    raise_error = True

    def __init__(self, attachment: Attachment) -> None:
        self.is_attached = True
        self._attachment = attachment
        self._models: dict[Any, Call] = {}
        self._begun: set[Any] = set()
        self._tools: dict[Any, tuple[Call, str]] = {}

    def on_chat_model_start(
        self,
        serialized: Any,
        messages: Any,  # noqa: ARG002 - people's text, which is not looked at
        *,
        run_id: Any,
        **_: Any,
    ) -> None:
        """A chat model is about to be asked."""
        self.on_llm_start(serialized, (), run_id=run_id)

    def on_llm_start(
        self,
        serialized: Any,  # noqa: ARG002 - LangChain's signature
        prompts: Sequence[str],  # noqa: ARG002 - people's text, which is not looked at
        *,
        run_id: Any,
        **_: Any,
    ) -> None:
        """A model is about to be asked. Raises BudgetExceeded."""
        if self.is_attached:
            call = self._attachment.model_call()
            if call is not None:
                self._models[run_id] = call

    def on_llm_new_token(self, token: str, *, run_id: Any, **_: Any) -> None:  # noqa: ARG002 - as above
        """A model has begun to answer."""
        if run_id in self._models:
            self._begun.add(run_id)

    def on_llm_end(self, response: Any, *, run_id: Any, **_: Any) -> None:
        """A model has answered."""
        self._begun.discard(run_id)
        call = self._models.pop(run_id, None)
        if call is None:
            return
        try:
            answer = _answer(response)
        except Exception as error:  # noqa: BLE001 - the host goes on whatever is wrong here
            harmless("an answer could not be read", error)
            answer = Answer()
        if answer is None:
            call.failed()
        else:
            call.answered(answer)

    def on_llm_error(self, error: BaseException, *, run_id: Any, **_: Any) -> None:  # noqa: ARG002 - which, says nobody
        """A model has failed, or was not listened to any more."""
        call = self._models.pop(run_id, None)
        if call is None:
            return
        if run_id in self._begun:
            self._begun.discard(run_id)
            call.answered(Answer())
        else:
            call.failed()

    def on_tool_start(self, serialized: Any, input_str: str, *, run_id: Any, **more: Any) -> None:  # noqa: ARG002 - as above
        """A tool is about to run."""
        if self.is_attached:
            call = self._attachment.tool_call()
            if call is not None:
                told = serialized if isinstance(serialized, dict) else {}
                self._tools[run_id] = call, text(more.get("name") or told.get("name"))

    def on_tool_end(self, output: Any, *, run_id: Any, **_: Any) -> None:
        """A tool has run; it may say of itself that it failed."""
        found = self._tools.pop(run_id, None)
        if found is not None:
            call, name = found
            call.ran(name, success=getattr(output, "status", "success") != "error")

    def on_tool_error(self, error: BaseException, *, run_id: Any, **_: Any) -> None:
        """A tool has raised."""
        found = self._tools.pop(run_id, None)
        if found is not None:
            call, name = found
            call.ran(name, success=False, error=words(error))


def words(error: BaseException) -> str:
    """What an exception says: of it, what tools themselves say is kept."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - an exception's own __str__ may fail
        return type(error).__name__


def _answer(response: Any) -> Answer | None:
    """What an LLMResult says; None where it comes out of a cache."""
    first = response.generations[0][0]
    message = getattr(first, "message", None)
    told = getattr(message, "response_metadata", None) or {}
    output = response.llm_output or {}
    answer = Answer(
        model=text(told.get("model_name") or told.get("model") or output.get("model_name")),
        response_id=text(told.get("id") or output.get("id")),
    )
    used = getattr(message, "usage_metadata", None)
    if used:
        if used.get("total_cost") == 0:  # how LangChain marks what it had in its cache
            return None
        answer.usage = _usage(used)
    elif output.get("token_usage"):
        answer.usage = usage_of(output["token_usage"])
    return answer


def _usage(used: dict[str, Any]) -> Usage:
    """LangChain's `usage_metadata`: its input holds what caches read and wrote of it."""
    if not is_count(used.get("input_tokens")):
        return UNKNOWN_USAGE
    details = used.get("input_token_details") or {}
    written_5m = tokens(details.get("ephemeral_5m_input_tokens"))
    written_1h = tokens(details.get("ephemeral_1h_input_tokens"))
    written = tokens(details.get("cache_creation"))  # 0 where the two are given, in new releases
    if written_5m + written_1h < written:
        written_5m = written - written_1h
    return Usage(
        tokens(used["input_tokens"]),
        tokens(used.get("output_tokens")),
        cache_read_tokens=tokens(details.get("cache_read")),
        cache_write_5m_tokens=written_5m,
        cache_write_1h_tokens=written_1h,
        reasoning_tokens=tokens((used.get("output_token_details") or {}).get("reasoning")),
    )
