# onnx.pb-c.{c,h}, generated from the schema of the installed onnx package into the build folder.

find_path(COSET_ONNX_PROTO_DIR onnx.proto PATH_SUFFIXES onnx REQUIRED)
find_program(COSET_PROTOC_C protoc-c REQUIRED)

set(coset_onnx_schema_dir "${PROJECT_BINARY_DIR}/onnx-schema")
file(MAKE_DIRECTORY "${coset_onnx_schema_dir}")
add_custom_command(
    OUTPUT "${coset_onnx_schema_dir}/onnx.pb-c.c" "${coset_onnx_schema_dir}/onnx.pb-c.h"
    COMMAND "${COSET_PROTOC_C}" "--c_out=${coset_onnx_schema_dir}" "--proto_path=${COSET_ONNX_PROTO_DIR}" onnx.proto
    DEPENDS "${COSET_ONNX_PROTO_DIR}/onnx.proto"
    COMMENT "Generating onnx.pb-c.c from ${COSET_ONNX_PROTO_DIR}/onnx.proto"
    VERBATIM)

add_library(coset_onnx_schema OBJECT "${coset_onnx_schema_dir}/onnx.pb-c.c")
target_link_libraries(coset_onnx_schema PRIVATE PkgConfig::libprotobuf-c)
set_target_properties(coset_onnx_schema PROPERTIES C_VISIBILITY_PRESET hidden)
