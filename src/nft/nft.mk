NFT_SOURCES = \
	src/nft/ruleset.c \
	src/nft/regs.c \
	src/nft/eval.c \
	src/nft/classes.c \
	src/nft/text.c \
	src/nft/decode.c \
	src/nft/xtables.c \
	src/nft/dump.c \
	src/nft/route.c \
	src/nft/encode.c \
	src/nft/send.c
