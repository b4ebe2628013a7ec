MODEL_SOURCES = \
	src/model/answer.c \
	src/model/finding.c \
	src/model/ini.c \
	src/model/inventory-index.c \
	src/model/inventory.c \
	src/model/name.c \
	src/model/params.c \
	src/model/profile-load.c \
	src/model/profile.c \
	src/model/run.c \
	src/model/ssh-lines.c \
	src/model/ssh-text.c \
	src/model/topic.c \
	src/model/world.c
