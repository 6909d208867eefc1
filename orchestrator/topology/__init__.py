"""What people say of the plant: groups, dependencies, policies, the desired state; and what follows from it."""
