# What the library is linked to: one interface target, coset_dependencies.
# coset_pc_libs says the same to users of the static library, in coset.pc.

find_package(PkgConfig REQUIRED)
foreach(package IN ITEMS openblas lapacke libprotobuf-c jansson zlib libmd libpng libturbojpeg)
    pkg_check_modules(${package} REQUIRED IMPORTED_TARGET ${package})
endforeach()

# SUNDIALS has no pkg-config file, and its CMake package asks for every optional solver that it was built with.
find_path(SUNDIALS_INCLUDE cvodes/cvodes.h REQUIRED)
find_library(SUNDIALS_CVODES sundials_cvodes REQUIRED)

add_library(coset_dependencies INTERFACE)
target_include_directories(coset_dependencies SYSTEM INTERFACE "${SUNDIALS_INCLUDE}")
# OpenBLAS first: LAPACKE then finds OpenBLAS' own factorisations instead of the reference ones.
target_link_libraries(coset_dependencies INTERFACE
    PkgConfig::openblas PkgConfig::lapacke PkgConfig::libprotobuf-c PkgConfig::jansson PkgConfig::zlib
    PkgConfig::libmd PkgConfig::libpng PkgConfig::libturbojpeg ${SUNDIALS_CVODES} m)

# Not Requires.private: pkg-config --static would then ask for what only a static OpenBLAS needs, such as gfortran.
set(coset_pc_libs ${openblas_LDFLAGS} ${lapacke_LDFLAGS} ${libprotobuf-c_LDFLAGS} ${jansson_LDFLAGS} ${zlib_LDFLAGS}
    ${libmd_LDFLAGS} ${libpng_LDFLAGS} ${libturbojpeg_LDFLAGS} -lsundials_cvodes -lm)

if(COSET_OPENMP)
    find_package(OpenMP REQUIRED COMPONENTS C)
    target_link_libraries(coset_dependencies INTERFACE OpenMP::OpenMP_C)
    foreach(name IN LISTS OpenMP_C_LIB_NAMES)
        list(APPEND coset_pc_libs "-l${name}")
    endforeach()
else()
    # Pragmas for threads are ignored, those for vector instructions still hold.
    target_compile_options(coset_dependencies INTERFACE -fopenmp-simd -Wno-unknown-pragmas)
endif()

list(JOIN coset_pc_libs " " coset_pc_libs)

# A pthread OpenBLAS would spin its own pool beside ours. Debian chooses the one that is loaded by its alternatives.
if(NOT CMAKE_CROSSCOMPILING AND NOT DEFINED COSET_OPENBLAS_IS_OPENMP)
    file(WRITE "${PROJECT_BINARY_DIR}/CMakeFiles/openblas_threads.c"
        "int openblas_get_parallel(void);\nint main(void) { return openblas_get_parallel() == 2 ? 0 : 1; }\n")
    try_run(openblas_threads openblas_links "${PROJECT_BINARY_DIR}/CMakeFiles/openblas_threads"
        "${PROJECT_BINARY_DIR}/CMakeFiles/openblas_threads.c" LINK_LIBRARIES ${openblas_LINK_LIBRARIES})
    if(NOT openblas_links OR NOT openblas_threads EQUAL 0)
        message(FATAL_ERROR
            "The OpenBLAS that this machine loads is not its OpenMP build. On Debian: "
            "apt-get install libopenblas-openmp-dev, and remove libopenblas0-pthread or choose with "
            "update-alternatives --config libopenblas.so.0-x86_64-linux-gnu")
    endif()
    set(COSET_OPENBLAS_IS_OPENMP ON CACHE INTERNAL "Checked by running it")
endif()
