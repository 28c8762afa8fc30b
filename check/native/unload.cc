// What the statically linked C++ library does not give back by itself when
// dlclose(3) unloads this object: the memory that it keeps for exceptions when
// there is no other.

// NOLINTBEGIN(bugprone-reserved-identifier): libstdc++'s own name.
namespace __gnu_cxx {
void __freeres();
}
// NOLINTEND(bugprone-reserved-identifier)

// With a priority it comes after the destructors of static objects.
__attribute__((destructor(101))) static void FreeExceptionPool() {
  __gnu_cxx::__freeres();
}
