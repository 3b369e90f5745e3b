# Library, headers, coset.pc, command, documents.

install(TARGETS coset_static coset_shared
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET coset)
    install(TARGETS coset RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES ${coset_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/coset)
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")

# coset.pc finds its prefix from where it lies, so `cmake --install --prefix` may move the whole tree.
file(RELATIVE_PATH coset_pc_to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" coset_pc_to_prefix "${coset_pc_to_prefix}")
configure_file(cmake/coset.pc.in coset.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/coset.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
