# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""Recipe for Conan 2. The sources are those of the folder above: `conan create conan`."""

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load

required_conan_version = ">=2.1"

# Optional components, as once_components in lib/CMakeLists.txt names them (a test compares the two), each with what it
# requires from Conan. Each becomes the option with_<component>, and ONCE_WITH_<COMPONENT> for CMake.
COMPONENTS = {
    "http": [],
    "kafka": ["librdkafka/[>=2.0 <3]"],
    "nats": ["cnats/[>=3.3 <4]"],
    "rabbitmq": ["rabbitmq-c/[>=0.11 <1]"],
    "redis": ["hiredis/[>=0.14 <2]"],
    "webhook": ["libcurl/[>=7.66 <9]", "openssl/[>=3 <4]"],
}


class OnceConan(ConanFile):
    name = "once"
    description = "Writes happen once, with PostgreSQL"
    license = "BSL-1.0"
    topics = ("postgresql", "idempotency", "exactly-once", "outbox", "libpqxx")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False],
               **{f"with_{component}": [True, False] for component in COMPONENTS}}
    default_options = {"shared": False, "fPIC": True,
                       **{f"with_{component}": False for component in COMPONENTS}}
    implements = ["auto_shared_fpic"]

    def set_version(self):
        text = load(self, os.path.join(self.recipe_folder, "..", "CMakeLists.txt"))
        self.version = re.search(r"project\(once\s+VERSION\s+([\d.]+)", text).group(1)

    def layout(self):
        self.folders.root = ".."
        cmake_layout(self)

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "..")
        for pattern in ("CMakeLists.txt", "LICENSE", "lib/*", "migrations/*", "tools/*"):
            copy(self, pattern, src=root, dst=self.export_sources_folder)

    def requirements(self):
        self.requires("libpqxx/[>=7.10.0 <9]", transitive_headers=True, transitive_libs=True)
        self.requires("nlohmann_json/[>=3.11.2 <4]", transitive_headers=True)
        self.requires("libpq/[>=14 <19]")
        for component, references in COMPONENTS.items():
            if self.options.get_safe(f"with_{component}"):
                for reference in references:
                    self.requires(reference)

    def build_requirements(self):
        self.tool_requires("cmake/[>=3.25 <5]")

    def validate(self):
        check_min_cppstd(self, 20)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.user_presets_path = False  # the sources have presets of their own
        toolchain.cache_variables["ONCE_BUILD_TESTS"] = False
        toolchain.cache_variables["ONCE_BUILD_EXAMPLES"] = False
        toolchain.cache_variables["ONCE_BUILD_TOOL"] = False  # would depend on what the machine has
        toolchain.cache_variables["ONCE_INSTALL"] = True
        for component in COMPONENTS:
            toolchain.cache_variables[f"ONCE_WITH_{component.upper()}"] = bool(
                self.options.get_safe(f"with_{component}"))
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        # onceConfig.cmake as it was installed, not one that Conan makes: it finds libpqxx and the others whether they
        # come from Conan or from the system ([platform_requires]), and it knows the components.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.set_property("pkg_config_name", "once")
        self.cpp_info.builddirs = [os.path.join("lib", "cmake", "once")]
        self.cpp_info.resdirs = ["share"]
        built = [component for component in COMPONENTS if self.options.get_safe(f"with_{component}")]
        # What needs a library stands before it.
        self.cpp_info.libs = [f"once_{component}" for component in built] + ["once"]
        if not self.options.shared:
            self.cpp_info.defines = ["ONCE_STATIC_DEFINE"] + [
                f"ONCE_{component.upper()}_STATIC_DEFINE" for component in built]
        self.conf_info.define_path("user.once:migrations",
                                   os.path.join(self.package_folder, "share", "once", "migrations"))
