# Flags that hold for everything (sanitizers, instruction set), and coset_compile(target) for our own sources.

if(COSET_SANITIZE)
    add_compile_options(-fsanitize=${COSET_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${COSET_SANITIZE})
endif()
if(COSET_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "COSET_FUZZ needs clang: use the preset fuzz")
    endif()
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(COSET_NATIVE)
    add_compile_options(-march=native)
endif()

# Model files are untrusted: what the compiler can check at run time for free, it checks.
if(NOT COSET_SANITIZE)
    add_compile_options(-fstack-protector-strong "$<$<CONFIG:Release,RelWithDebInfo>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
    add_link_options(-Wl,-z,relro,-z,now)
endif()

function(coset_compile target)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE _FILE_OFFSET_BITS=64)
    # Messages are cut to their buffers on purpose; gcc warns of that at some optimisation levels only. clang warns where
    # it does not follow `omp simd`, as under sanitizers.
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wconversion -Wshadow -fno-math-errno
        $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation> $<$<C_COMPILER_ID:Clang>:-Wno-pass-failed>)
    if(COSET_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
endfunction()
