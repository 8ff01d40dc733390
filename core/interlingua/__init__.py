"""Interlingua: models of any framework into any other, each conversion proved."""
