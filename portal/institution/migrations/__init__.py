"""Migrations of uploads and submissions."""
