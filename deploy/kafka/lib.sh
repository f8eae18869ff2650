# What `cluster` and `tool` share: Java, and the jars of Apache Kafka. Sourced by them.
# shellcheck shell=bash

kafka_here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
kafka_version="$(sed -n 's#.*<kafka.version>\(.*\)</kafka.version>.*#\1#p' "$kafka_here/pom.xml")"
kafka_jars="${MESH_KAFKA_JARS:-${XDG_CACHE_HOME:-$HOME/.cache}/mesh/kafka-$kafka_version}"

# The exit code of what is skipped because something is missing here.
SKIPPED=77

fail() {
    echo "$*" >&2
    exit 1
}

# Ends the script because something is missing: a failure in CI, else a lane that is skipped.
skip() {
    if [ "${CI:-}" = true ]; then
        fail "Apache Kafka cannot run here, and CI asks for it: $*"
    fi
    echo "skipped: Apache Kafka cannot run here: $*" >&2
    exit "$SKIPPED"
}

# Sets `java`, or skips.
find_java() {
    java="${JAVA_HOME:+$JAVA_HOME/bin/}java"
    command -v "$java" >/dev/null || skip "there is no Java; install a JRE of version 17 or newer"
    local version
    version="$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)"
    [ "${version:-0}" -ge 17 ] || skip "Java is of version ${version:-unknown}; 17 or newer is needed"
}

check_sums() {
    if command -v sha256sum >/dev/null; then
        sha256sum --quiet -c "$kafka_here/jars.sha256"
    else
        shasum -a 256 --quiet -c "$kafka_here/jars.sha256"
    fi
}

# Sees to it that the jars are in the cache, all of them and none else, with the checksums
# of jars.sha256.
find_jars() {
    if [ ! -e "$kafka_jars/complete" ]; then
        command -v mvn >/dev/null ||
            skip "there is no Maven (mvn) to get its jars with, and none are in $kafka_jars"
        local fetched
        fetched="$kafka_jars.$$"
        rm -rf "$fetched"
        mkdir -p "$fetched"
        echo "getting the jars of Apache Kafka $kafka_version" >&2
        if ! mvn -B -q --strict-checksums -f "$kafka_here/pom.xml" \
            org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
            -DincludeScope=runtime -DoutputDirectory="$fetched" >&2; then
            rm -rf "$fetched"
            fail "Maven could not get the jars of Apache Kafka; its message is above"
        fi
        if ! (cd "$fetched" && check_sums >&2); then
            rm -rf "$fetched"
            fail "a jar is not the one whose checksum jars.sha256 holds"
        fi
        # Atomic, as two lanes may come here at once; the jars of the first stay.
        touch "$fetched/complete"
        rm -rf "${kafka_jars:?}.old"
        if [ -e "$kafka_jars" ] && [ ! -e "$kafka_jars/complete" ]; then
            mv "$kafka_jars" "$kafka_jars.old"
        fi
        mv -T "$fetched" "$kafka_jars" 2>/dev/null || rm -rf "$fetched"
        rm -rf "${kafka_jars:?}.old"
    fi
    (cd "$kafka_jars" && check_sums >&2) ||
        fail "a jar in $kafka_jars is not the one whose checksum jars.sha256 holds; remove that folder"
}
