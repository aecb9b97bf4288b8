from indexer import errors


def test_fault_is_three_lines_what_why_and_what_to_do() -> None:
    fault = errors.ConfigError("it is wrong", "because", "mend it")
    assert str(fault).splitlines() == ["it is wrong", "  cause:  because", "  remedy: mend it"]


def test_exit_codes_are_those_of_the_interface() -> None:
    kinds: list[type[errors.IndexerError]] = [errors.IndexerError, *errors.IndexerError.__subclasses__()]
    assert {kind.__name__: int(kind.exit_code) for kind in kinds} == {
        "IndexerError": 70,
        "ConfigError": 78,
        "SchemaError": 78,
        "UnavailableError": 69,
        "StoppedEarlyError": 75,
        "NotFoundError": 1,
        "BudgetError": 1,
    }
    assert {int(code) for code in errors.ExitCode} == {0, 1, 2, 69, 70, 75, 78}
