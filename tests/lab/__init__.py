"""What needs three real hosts: the lab that makes them on one machine, and the tests on it. `make lab`, as root."""
