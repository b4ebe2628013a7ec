TRANSPORT_SOURCES = \
	src/transport/child.c \
	src/transport/connect.c \
	src/transport/known-hosts.c \
	src/transport/local.c \
	src/transport/openssh.c \
	src/transport/ssh-agent.c \
	src/transport/ssh-auth.c \
	src/transport/ssh-config.c \
	src/transport/ssh-hostkey.c \
	src/transport/ssh-key.c \
	src/transport/ssh-proxy.c \
	src/transport/ssh.c \
	src/transport/transport.c \
	src/transport/wait.c
