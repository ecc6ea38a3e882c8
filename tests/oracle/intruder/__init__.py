"""An intruder written from `docs/releases.md` and the policy alone: what can be learnt from published releases?"""
