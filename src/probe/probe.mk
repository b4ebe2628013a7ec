PROBE_SOURCES = \
	src/probe/judge.c \
	src/probe/probe.c \
	src/probe/record.c

# The guest: freestanding code for 64-bit x86, with none of the project's own flags. PROBE_CC: a
# compiler for that, where the project's own makes code for another machine.
PROBE_GUEST = \
	src/probe/guest/start.S \
	src/probe/guest/clock.c \
	src/probe/guest/disk.c \
	src/probe/guest/faults.c \
	src/probe/guest/ledger.c \
	src/probe/guest/main.c \
	src/probe/guest/memory.c \
	src/probe/guest/pages.c \
	src/probe/guest/params.c \
	src/probe/guest/pattern.c \
	src/probe/guest/serial.c \
	src/probe/guest/virtio.c
PROBE_GUEST_PARTS = \
	src/probe/guest/guest.ld \
	src/probe/guest/guest.h \
	src/probe/guest/io.h \
	src/probe/format.h
PROBE_CC = $(CC)
PROBE_COMPILE = -std=gnu11 -O2 -Wall -Wextra -m64 -ffreestanding -fno-pic -mno-red-zone -mgeneral-regs-only \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -fno-strict-aliasing
PROBE_LINK = -nostdlib -static -no-pie -s -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
	-Wl,-z,noexecstack

src/probe/probe.elf: $(PROBE_GUEST) $(PROBE_GUEST_PARTS)
	$(AM_V_CCLD)$(MKDIR_P) $(@D) && $(PROBE_CC) $(PROBE_COMPILE) -I$(srcdir)/src $(PROBE_LINK) \
		-Wl,-T,$(srcdir)/src/probe/guest/guest.ld \
		$$(for f in $(PROBE_GUEST); do echo $(srcdir)/$$f; done) -o $@
# Its bytes are in this object.
src/probe/probe.$(OBJEXT): src/probe/probe.elf
