# The front door; Meson does the work.
#
#	make			build/release
#	make check		all tests (see ./check)
#	make asan		the unit tests with sanitizers
#	make fuzz T=ipc S=60	one fuzz target for so many seconds
#	make bench		measurements
#	make run		a throw-away server on 127.0.0.1:11110
#	make fmt		clang-format on all of it, pages wrapped
#	make install		DESTDIR=, PREFIX=/usr/local
#	make uninstall		takes that away again, from the same folder

PREFIX = /usr/local
T = ipc
S = 60

all: build/release/build.ninja
	ninja -C build/release build.ninja
	ninja -C build/release $$(tests/targets build/release)

build/release/build.ninja:
	meson setup build/release --buildtype=debugoptimized --prefix=$(PREFIX)

check:
	./check

asan: build/asan/build.ninja
	meson test -C build/asan --print-errorlogs

build/asan/build.ninja:
	meson setup build/asan -Db_sanitize=address,undefined

fuzz: build/fuzz/build.ninja
	ninja -C build/fuzz fuzz/fuzz_$(T)
	mkdir -p build/fuzz/corpus/$(T)
	build/fuzz/fuzz/fuzz_$(T) -max_total_time=$(S) \
	    $(addprefix -dict=,$(wildcard fuzz/$(T).dict)) \
	    build/fuzz/corpus/$(T) fuzz/corpus/$(T)

build/fuzz/build.ninja:
	CC=clang meson setup build/fuzz -Dfuzz=true -Db_lundef=false \
	    -Db_sanitize=address,undefined

bench: all
	bench/compare

run: all
	mkdir -p build/run/Maildir
	tests/serve --user test test $(CURDIR)/build/run/Maildir --port 11110

fmt:
	git ls-files '*.c' '*.h' | xargs clang-format -i
	git ls-files '*.md' | xargs tests/rules/wrap.py

install: build/release/build.ninja
	meson configure build/release --prefix=$(PREFIX)
	meson install -C build/release $(if $(DESTDIR),--destdir=$(DESTDIR))

# What was installed last; settings, users and mail stay.  Meson knows of folders
# only if they were made by the last installation.
INSTALLED = build/release/meson-logs/install-log.txt
uninstall:
	ninja -C build/release uninstall
	sed -nE '/\/(malote|locale|pt_BR|fish|zsh)\//s,/[^/]*$$,,p' $(INSTALLED) | \
	    xargs -r rmdir -p --ignore-fail-on-non-empty 2>/dev/null || true

clean:
	rm -rf build

.PHONY: all check asan fuzz bench run fmt install uninstall clean
