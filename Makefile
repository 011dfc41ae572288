.DEFAULT_GOAL := help
.PHONY: help demo test check bench pictures rehearse clean set-up

help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' Makefile

demo: set-up  ## Load this repository's own history into an embedded warehouse
	.venv/bin/wherescape demo

test: set-up  ## Run the tests
	.venv/bin/pytest --numprocesses 3 --dist worksteal

check: set-up  ## Run the linter, the formatter's check and the type checker
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

bench: set-up  ## Measure speed and memory, and write benchmarks/README.md
	.venv/bin/python -m benchmarks

pictures: set-up  ## Take the pictures of README.md anew (needs chromium)
	.venv/bin/python -m tools.take_pictures

rehearse:  ## Run demo and test in fresh, minimal Debians (as root; needs debootstrap)
	tools/rehearse trixie sid

clean:  ## Remove everything that these targets made
	rm -rf .venv .tools .rehearsal .hypothesis .mypy_cache .pytest_cache .ruff_cache

set-up:
	@python3 tools/set_up.py
