// What the statically linked C++ library, or the linker, does not do by itself
// when dlclose(3) unloads this object.

#include <version>

#ifdef __GLIBCXX__

// NOLINTBEGIN(bugprone-reserved-identifier): libstdc++'s own name.
namespace __gnu_cxx {
void __freeres();
}
// NOLINTEND(bugprone-reserved-identifier)

// The memory that it keeps for exceptions when there is no other. With a
// priority it comes after the destructors of static objects.
__attribute__((destructor(101))) static void FreeExceptionPool() {
  __gnu_cxx::__freeres();
}

#else

// NOLINTBEGIN(bugprone-reserved-identifier): the C++ ABI's own names.
extern "C" {
extern void* __dso_handle;
void __cxa_finalize(void*);
}
// NOLINTEND(bugprone-reserved-identifier)

// Zig links no crtbeginS.o, whose part it is to call the destructors of this
// object's static objects; exit(3) would call them where they were.
__attribute__((destructor)) static void DestroyStatics() {
  __cxa_finalize(&__dso_handle);
}

#endif
