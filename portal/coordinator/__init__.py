"""The pages of the coordinator: countersignatures, releases, reports due, what each institution owes."""
