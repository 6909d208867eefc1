"""What those who watch the plant are told: subjects, and the queues in which it waits for them."""
