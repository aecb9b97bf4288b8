"""Connections to PostgreSQL and Redis, and how often they are tried again."""
