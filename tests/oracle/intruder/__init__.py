"""An intruder written from `docs/reference/releases.md` and the policy alone: what can be learnt from published releases?"""
