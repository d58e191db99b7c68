# Ten Steps to a Container.
#
#: make            build all tools
#: make run        a first container: the view of host beside box, then a shell
#: make doctor     what this machine can run, and what helps where it can't
#: make test       check all chapters; says what that needs and, as root, installs it
#: make test-02    check one chapter; ONLY='part of a name' runs just those checks
#: make test-vm    check all chapters in a throwaway virtual machine
#: make test-arm64   the tour and the checks of chapters 1 to 6 on arm64, emulated
#: make shell-vm   a shell in one; KERNEL= chooses another kernel
#: make playhost   a shell on a host to play with, which forgets all but changes to this tree;
#:                 with ENTER=1, another shell on the same one
#: make starter    DIR=TREE: the tree for learners, with the solutions of the exercises left out;
#:                 with FROM=05 only from chapter 5 on
#: make check      the checks of the first exercise not done, or of EX=2.2; make watch: at each save
#: make hint       a hint to it, the next of three
#: make grade      DIR=SUBMISSION: grade its exercises in a virtual machine, with points; without
#:                 DIR, all checks of BIN_DIR=TREE (default: this one) and a score card
#: make mutants    leave out each exercise, and make each fault of tests/bin/mutants: do the checks
#:                 notice? CHAPTER=06 for one chapter, ONLY=REGEX for some of them
#: make sweep      make each system call of each tool fail, kill tools, and see what comes of it
#: make bench      how fast boxes start, beside others
#: make lint       look over the code with compilers and analysers
#: make setup      install what the checks need; setup-02: those of chapters 1 and 2
#: make setup-lint install what 'make lint' needs
#: make clean      remove what was built
#: make help       print this

CC      ?= cc
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
override CPPFLAGS += -D_FILE_OFFSET_BITS=64
override CFLAGS   += -std=gnu11 $(WARN) -ffunction-sections -fdata-sections
override LDFLAGS  += -Wl,--gc-sections

# Static where the libc allows it: such a program runs in any root directory, and starts faster.
STATIC  ?= $(shell echo 'int main(void){return 0;}' | \
             $(CC) -static -x c -o /dev/null - 2>/dev/null && echo -static)
STATIC  := $(STATIC)

# 'full exec' copies its own program, which is half as long without symbols. For gdb(1): make STRIP=
STRIP   ?= -s

# A libc that is not the machine's own, as with musl-gcc, comes without the kernel's headers.
HEADERS := $(shell $(CC) -E -include linux/capability.h -x c /dev/null >/dev/null 2>&1 || \
             echo -idirafter /usr/include -idirafter /usr/include/$$(gcc -print-multiarch))
override CPPFLAGS += $(HEADERS)

# The course in its order. A chapter's modules are its .c files but main.c (and HELPERS), and it
# may use those of the chapters before it: that is what the growing list $(modules) is for.
CHAPTERS := $(sort $(patsubst %/main.c,%,$(wildcard [01][0-9]-*/main.c)))
HELPERS  := 01-chroot/escape 02-uts/enter
TOOLS    := $(foreach c,$(CHAPTERS),$(c)/$(lastword $(subst -, ,$(c)))) $(HELPERS)
BUILD    := .build

all: $(TOOLS)

define chapter
modules += $$(filter-out %/main.o $(HELPERS:%=$(BUILD)/%.o),$$(patsubst %.c,$(BUILD)/%.o,$$(wildcard $(1)/*.c)))
$(1)/$(lastword $(subst -, ,$(1))): $(BUILD)/$(1)/main.o $$(modules)
endef
$(foreach c,$(CHAPTERS),$(eval $(call chapter,$(c))))
$(HELPERS): %: $(BUILD)/%.o $(filter $(BUILD)/01-chroot/% $(BUILD)/02-uts/%,$(modules))

# A short line for each file; with V=1, the whole command. What is built belongs to the owner of the
# tree, whoever called make: after 'sudo make run' a plain 'make' still works.
QUIET := $(V)$(findstring s,$(firstword -$(MAKEFLAGS)))
OWNER := $(if $(filter 0,$(shell id -u)),$(shell stat -c %u:%g .))
define build
@mkdir -p $(@D)
$(if $(QUIET),,@echo '  $(1) $@')
$(if $(V),,@)$(2)
$(if $(OWNER),@chown $(OWNER) $(BUILD) $(dir $(@D)) $(@D) $(@:.o=.*))
endef
LINK = $(CC) $(CFLAGS) $(LDFLAGS) $(STATIC) -o $@

$(TOOLS):
	$(call build,link,$(LINK) $(STRIP) $^)

$(BUILD)/%.o: %.c Makefile
	$(call build,cc  ,$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# The checks' own programs, no part of the course: inject, stage and filter run outside a box, the
# others inside.
$(BUILD)/probe $(BUILD)/escape $(BUILD)/talk $(BUILD)/inject $(BUILD)/stage: $(BUILD)/%: tests/probes/%.c Makefile
	$(call build,cc  ,$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(STATIC) -o $@ $< -lrt)

$(BUILD)/stopwatch: tests/bench/stopwatch.c Makefile
	$(call build,cc  ,$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(STATIC) -o $@ $<)

$(BUILD)/filter: $(BUILD)/tests/probes/filter.o $(modules)
$(BUILD)/bare $(BUILD)/bare_net: $(BUILD)/%: $(BUILD)/tests/bench/%.o $(modules)
$(BUILD)/filter $(BUILD)/bare $(BUILD)/bare_net:
	$(call build,link,$(LINK) $^)

probes: $(BUILD)/inject $(BUILD)/probe $(BUILD)/escape $(BUILD)/talk $(BUILD)/filter $(BUILD)/stage

setup:
	@tests/bin/setup

setup-%:
	@tests/bin/setup $*

run: all
	@tests/bin/tour

doctor:
	@tests/bin/doctor

test: setup all probes
	@tests/bin/run

test-%: all probes
	@tests/bin/setup --check $*
	@ONLY='$(ONLY)' tests/bin/run tests/$*-*.bats

mutants: setup all probes
	@ONLY='$(ONLY)' tests/bin/unsolved $(CHAPTER)

check: all probes
	@tests/bin/check $(EX)

hint:
	@tests/bin/hint $(EX)

watch:
	@tests/bin/watch $(EX)

grade: setup all probes
	@$(if $(DIR),tests/bin/grade '$(DIR)',tests/bin/card)

test-vm: setup all probes
	@tests/vm/run --time=20000 tests/bin/run

test-arm64: all
	@tests/vm/arm64

shell-vm: all probes
	@tests/vm/run --shell

playhost: all probes
	@tests/bin/playhost $(if $(ENTER),--enter)

starter: all probes
	@FROM='$(FROM)' tests/bin/starter $(DIR)

sweep: setup all $(BUILD)/inject $(BUILD)/probe
	@tests/bin/sweep
	@tests/bin/crash 500 2000

bench: setup all $(BUILD)/bare $(BUILD)/bare_net $(BUILD)/stopwatch
	@tests/bench/run

lint: setup-lint
	@tests/bin/lint

clean:
	rm -rf $(BUILD) $(TOOLS)

help:
	@sed -n 's/^#: //p' Makefile

.PHONY: all probes setup run doctor test mutants check hint watch grade test-vm test-arm64 shell-vm playhost starter sweep bench lint clean help
