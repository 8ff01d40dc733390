"""Byte formats that several plugins read: each its own file, none needs a framework."""
