# Stands in for what CMakeLists.txt includes from SDK 5.21 and newer, for the small PMSIS: sdk.config becomes variables,
# the compiler is set, and setupos() gives a program its targets.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_COMPILER $ENV{GAP_SDK_HOME}/bin/compiler)
set(CMAKE_ASM_COMPILER $ENV{GAP_SDK_HOME}/bin/compiler)
set(CMAKE_OBJDUMP riscv64-unknown-elf-objdump)

file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/sdk.config settings REGEX "^CONFIG_[A-Z0-9_]+=")
foreach(setting IN LISTS settings)
    string(REGEX MATCH "^(CONFIG_[A-Z0-9_]+)=(.*)$" _ "${setting}")
    set(${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
endforeach()

function(setupos name)
    foreach(needed BOARD_GAP9EVK_V1_3 DRIVER_CLUSTER DRIVER_TYPE_RAM DRIVER_TYPE_FLASH DRIVER_READFS)
        if(NOT CONFIG_${needed})
            message(FATAL_ERROR "sdk.config has no CONFIG_${needed}")
        endif()
    endforeach()
    target_compile_options(${name} PRIVATE -g -Wall -Wextra -Werror)
    target_include_directories(${name} PRIVATE $ENV{GAP_SDK_HOME}/include)
    target_link_options(${name} PRIVATE @$ENV{GAP_SDK_HOME}/link)
    target_link_libraries(${name} PRIVATE $ENV{GAP_SDK_HOME}/pmsis.o gcc)
    add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/flash.bin DEPENDS ${READFS_FILES}
        COMMAND python3 $ENV{GAP_SDK_HOME}/bin/flash_image ${CMAKE_BINARY_DIR}/flash.bin ${READFS_FILES})
    add_custom_target(run DEPENDS ${name} ${CMAKE_BINARY_DIR}/flash.bin
        COMMAND $ENV{GAP_SDK_HOME}/bin/simulator ${CMAKE_BINARY_DIR}/${name} ${CMAKE_BINARY_DIR}/flash.bin)
endfunction()
