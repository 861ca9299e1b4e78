"""The life of a tenancy: application, inspections, deposits, departure, temporary stays."""
