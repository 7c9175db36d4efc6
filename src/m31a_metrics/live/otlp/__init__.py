"""OTLP in: what coding agents and instrumented programs send, as events of their sessions."""
