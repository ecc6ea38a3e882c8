"""The pages of the coordinator: answers to countersign, releases, reports that are due, and what each institution still has to do."""
