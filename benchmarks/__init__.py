"""Measurements that are not commands of the product."""
