#include "lib/cpython/layout.h"

namespace pycheck {
namespace {

constexpr Layout kLayouts[] = {
#include "lib/cpython/layouts.inc"
};

}  // namespace

absl::Span<const Layout> KnownLayouts() { return kLayouts; }

}  // namespace pycheck
