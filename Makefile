# Ten Steps to a Container. 'make help' lists what there is to make.

CC      ?= cc
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
override CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
# musl-gcc doesn't look where the kernel's own headers are: let it, after its own.
override CPPFLAGS += $(if $(findstring musl,$(CC)),-idirafter /usr/include -idirafter \
                       /usr/include/$(shell gcc -print-multiarch 2>/dev/null))
override CFLAGS   += -std=gnu11 $(WARN) -ffunction-sections -fdata-sections
override LDFLAGS  += -Wl,--gc-sections

# Static where the libc allows it: such a program runs in any root directory, and starts faster.
STATIC  ?= $(shell echo 'int main(void){return 0;}' | \
             $(CC) -static -x c -o /dev/null - 2>/dev/null && echo -static)
STATIC  := $(STATIC)

# The course in its order. A chapter's modules are its .c files but main.c (and mkrootfs.c), and it
# may use those of the chapters before it: that is what the growing list $(modules) is for.
CHAPTERS := $(sort $(patsubst %/main.c,%,$(wildcard [01][0-9]-*/main.c)))
TOOLS    := $(foreach c,$(CHAPTERS),$(c)/$(lastword $(subst -, ,$(c)))) $(patsubst %.c,%,$(wildcard 01-chroot/mkrootfs.c))
BUILD    := .build

all: $(TOOLS)

define chapter
modules += $$(filter-out %/main.o %/mkrootfs.o,$$(patsubst %.c,$(BUILD)/%.o,$$(wildcard $(1)/*.c)))
$(1)/$(lastword $(subst -, ,$(1))): $(BUILD)/$(1)/main.o $$(modules)
endef
$(foreach c,$(CHAPTERS),$(eval $(call chapter,$(c))))
01-chroot/mkrootfs: $(BUILD)/01-chroot/mkrootfs.o $(filter $(BUILD)/01-chroot/%,$(modules))

$(TOOLS):
	$(CC) $(CFLAGS) $(LDFLAGS) $(STATIC) -o $@ $^

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
