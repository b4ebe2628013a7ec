# One row per resource; the order is the order of application.
RESOURCE_SOURCES =
# What resources share.
RESOURCE_SHARED =
