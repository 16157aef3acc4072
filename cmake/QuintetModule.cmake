# The suffix of a file decides what it becomes: x.cc library, x_test.cc test, x_bench.cc benchmark,
# x_fuzz.cc fuzz target. A new file needs no edit here.

# Sorts the sources below `directory` into <prefix>_sources, _tests, _benches and _fuzzers.
function(qt_sort_sources directory prefix)
  file(GLOB_RECURSE all CONFIGURE_DEPENDS "${directory}/*.cc")
  foreach(kind IN ITEMS tests benches fuzzers)
    set(${kind} "${all}")
  endforeach()
  set(sources "${all}")
  list(FILTER sources EXCLUDE REGEX "_(test|bench|fuzz)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  foreach(kind IN ITEMS sources tests benches fuzzers)
    set(${prefix}_${kind} "${${kind}}" PARENT_SCOPE)
  endforeach()
endfunction()
