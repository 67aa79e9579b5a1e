"""Handing a run on: as an ONNX file, or in the layout of the Hugging Face Hub, in a folder or on the Hub itself."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from latentia.core.atomic import storage_errors, write_bytes, write_json
from latentia.core.errors import LatentiaError, UserError
from latentia.data.load import EmptySplit
from latentia.report.model_card import model_card
from latentia.runs import Run
from latentia.studies.folder import in_memory_path_of
from latentia.tasks.calibration import FILE as TEMPERATURE
from latentia.tasks.calibration import kept_temperature
from latentia.tasks.kept_mixture import FILE as MIXTURE
from latentia.tasks.onnx_files import Exported, export_onnx, need_onnx
from latentia.training.run_folder import RunFolder
from latentia.training.storage import FORMAT, load_classifier, load_model, model_description, read_json, save_model
