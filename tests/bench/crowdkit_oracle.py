"""Time crowd-kit's Dawid-Skene on votes (annotators, pixels) of a .npy file; prints JSON.

Runs in an environment of its own, because crowd-kit asks for 775 MB of packages:
    python3 -m venv .build/oracle
    .build/oracle/bin/pip install --no-deps crowd-kit==1.4.1
    .build/oracle/bin/pip install 'numpy<2' pandas scikit-learn tqdm attrs scipy nltk pyarrow
"""

import json
import sys
import time

import numpy as np
import pandas as pd
from crowdkit.aggregation import DawidSkene

votes = np.load(sys.argv[1])
people, pixels = votes.shape
table = pd.DataFrame(
    {
        "task": np.tile(np.arange(pixels), people),
        "worker": np.repeat(np.arange(people), pixels),
        "label": votes.ravel(),
    }
)
start = time.perf_counter()
DawidSkene(n_iter=100, tol=1e-5).fit(table)
print(json.dumps({"seconds": time.perf_counter() - start}))
