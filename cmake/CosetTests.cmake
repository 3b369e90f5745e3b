# Every tests/{unit,contract,golden,oom}/test_NAME.c is a program and a test SUITE.NAME; every
# tests/{cli,scripts,judge}/NAME.sh a test SUITE.NAME; every fuzz/fuzz_NAME.c a program, and a test fuzz.NAME that runs the
# files of fuzz/corpus/NAME through it. tests/run_test.sh says what environment a test finds.

set(coset_tests_tmp "${PROJECT_BINARY_DIR}/tests/tmp")

# coset_test(SUITE NAME TIMEOUT command...)
function(coset_test suite name timeout)
    add_test(NAME ${suite}.${name}
        COMMAND "${PROJECT_SOURCE_DIR}/tests/run_test.sh" ${suite} "${coset_tests_tmp}/${suite}.${name}" ${ARGN})
    set_tests_properties(${suite}.${name} PROPERTIES
        LABELS ${suite}
        TIMEOUT ${timeout}
        SKIP_RETURN_CODE 77
        ENVIRONMENT "COSET_SOURCE=${PROJECT_SOURCE_DIR};COSET_BIN=${PROJECT_BINARY_DIR}/coset")
endfunction()

function(coset_test_program target source)
    add_executable(${target} "${source}")
    coset_compile(${target})
    add_dependencies(${target} coset_onnx_schema)
    target_include_directories(${target} PRIVATE include src tests)
    target_include_directories(${target} SYSTEM PRIVATE "${coset_onnx_schema_dir}")
    target_link_libraries(${target} PRIVATE coset_static coset_dependencies)
endfunction()

if(BUILD_TESTING)
    find_package(PkgConfig REQUIRED)
    pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)

    # What several tests share.
    file(GLOB support_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/support/*.c")
    if(support_sources)
        add_library(coset_test_support STATIC ${support_sources})
        coset_compile(coset_test_support)
        add_dependencies(coset_test_support coset_onnx_schema)
        target_include_directories(coset_test_support PRIVATE include src tests)
        target_include_directories(coset_test_support SYSTEM PRIVATE "${coset_onnx_schema_dir}")
        target_link_libraries(coset_test_support PRIVATE coset_dependencies PkgConfig::cmocka)
    endif()

    set(seconds_unit 300)
    set(seconds_contract 600)
    set(seconds_golden 900)
    set(seconds_oom 900)
    foreach(suite IN ITEMS unit contract golden oom)
        file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${suite}/test_*.c")
        foreach(source IN LISTS sources)
            get_filename_component(name "${source}" NAME_WE)
            string(REGEX REPLACE "^test_" "" name "${name}")
            coset_test_program(test_${suite}_${name} "${source}")
            if(support_sources)
                target_link_libraries(test_${suite}_${name} PRIVATE coset_test_support coset_static)
            endif()
            target_link_libraries(test_${suite}_${name} PRIVATE PkgConfig::cmocka)
            set_target_properties(test_${suite}_${name} PROPERTIES
                RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/${suite}" OUTPUT_NAME test_${name})
            coset_test(${suite} ${name} ${seconds_${suite}} $<TARGET_FILE:test_${suite}_${name}>)
        endforeach()
    endforeach()

    get_property(before_judge DIRECTORY PROPERTY TESTS)
    foreach(suite IN ITEMS cli scripts judge)
        file(GLOB scripts CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${suite}/*.sh")
        foreach(script IN LISTS scripts)
            get_filename_component(name "${script}" NAME_WE)
            coset_test(${suite} ${name} 600 bash "${script}")
            if(suite STREQUAL "judge")
                # The judge sees the models that all other tests wrote, so it comes last.
                set_tests_properties(judge.${name} PROPERTIES DEPENDS "${before_judge}")
            else()
                list(APPEND before_judge ${suite}.${name})
            endif()
        endforeach()
    endforeach()

    if(TARGET coset)
        add_executable(coset_on_shared $<TARGET_OBJECTS:coset_cli>)
        target_link_libraries(coset_on_shared PRIVATE coset_shared m)
        set_target_properties(coset_on_shared PROPERTIES LINKER_LANGUAGE C RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
        coset_test(cli exported_symbols 60 $<TARGET_FILE:coset_on_shared> --version)
    endif()
endif()

add_custom_target(fuzz_targets)
file(GLOB fuzz_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/fuzz/fuzz_*.c")
foreach(source IN LISTS fuzz_sources)
    get_filename_component(target "${source}" NAME_WE)
    string(REGEX REPLACE "^fuzz_" "" name "${target}")
    set(corpus "${PROJECT_SOURCE_DIR}/fuzz/corpus/${name}")
    coset_test_program(${target} "${source}")
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
    add_dependencies(fuzz_targets ${target})
    if(COSET_FUZZ)
        target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    else()
        target_sources(${target} PRIVATE "${PROJECT_SOURCE_DIR}/fuzz/replay.c")
        coset_test(fuzz ${name} 600 $<TARGET_FILE:${target}> "${corpus}")
    endif()
endforeach()
