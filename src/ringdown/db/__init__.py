"""The engine, its transactions and the migrations."""
