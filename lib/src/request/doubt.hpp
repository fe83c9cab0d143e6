// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

namespace once::detail {

/// Whether an earlier COMMIT of a call may have taken effect without an answer.
class doubt {
public:
    /// A COMMIT was sent, and its answer lost.
    void raise() noexcept { m_stands = m_stood = true; }
    /// It is certain now: a claim that starts proves that nothing took effect, a stored answer that it did.
    void resolve() noexcept { m_stands = false; }

    [[nodiscard]] bool stands() const noexcept { return m_stands; }
    /// Whether there was one at any time of the call.
    [[nodiscard]] bool stood() const noexcept { return m_stood; }

private:
    bool m_stands = false;
    bool m_stood = false;
};

} // namespace once::detail
