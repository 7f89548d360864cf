//! Nothing of its own: the tests are in `tests/` and their cases in `ui/`.
