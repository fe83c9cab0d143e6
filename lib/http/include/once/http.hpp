// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

// Everything of the HTTP component (target once::http). Each header also stands alone.
#include <once/http/answer.hpp>
#include <once/http/execute.hpp>
#include <once/http/idempotency_key.hpp>
#include <once/http/options.hpp>
#include <once/http/problem.hpp>
#include <once/http/request.hpp>
