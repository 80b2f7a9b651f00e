# gs_room(NAME SOURCES a.c b.c [ROOMS base json] [LIBS PkgConfig::X])
#
# One room: a static library gs_NAME. ROOMS are the rooms it includes from (the same list as its
# .may_include, which tools/check enforces).
function(gs_room name)
  cmake_parse_arguments(R "" "" "SOURCES;ROOMS;LIBS" ${ARGN})
  add_library(gs_${name} STATIC ${R_SOURCES})
  target_include_directories(gs_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
  gs_flags(gs_${name})
  foreach(room ${R_ROOMS})
    target_link_libraries(gs_${name} PUBLIC gs_${room})
  endforeach()
  target_link_libraries(gs_${name} PRIVATE ${R_LIBS} Threads::Threads m)
  set_property(GLOBAL APPEND PROPERTY GENSET_ROOMS gs_${name})
endfunction()

# The compiler flags of all our code.
function(gs_flags target)
  target_compile_definitions(${target} PRIVATE _POSIX_C_SOURCE=200809L
                             GENSET_VERSION="${PROJECT_VERSION}")
  target_compile_options(
    ${target}
    PRIVATE -Wall
            -Wextra
            -Wshadow
            -Wconversion
            -Wstrict-prototypes
            -Wmissing-prototypes
            -Wvla
            -Wundef
            -Wformat=2
            -ffp-contract=off
            -fno-math-errno
            # gcc 12 takes an address that it computes without a base for null, and then drops calls
            # of the function as free of effects (seen in a kernel at -O2)
            -fno-delete-null-pointer-checks
            -fstack-protector-strong)
  if(GENSET_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(GENSET_NOSIMD)
    target_compile_definitions(${target} PRIVATE GENSET_NOSIMD=1)
  endif()
  if(GENSET_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()
