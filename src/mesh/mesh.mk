MESH_SOURCES = \
	src/mesh/causes.c \
	src/mesh/judge.c \
	src/mesh/mesh.c \
	src/mesh/plan.c
